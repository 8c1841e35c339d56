/** Statement of an agent about a comparison that it ended without a failure. */
export interface ComparisonStatement {
  readonly attempt: number;
  readonly firstSequence: bigint;
  readonly scopeGeneration: bigint;
  /** Empty if the resource type is ordered by position. */
  readonly listVersion: string;
  /** Unset: the incarnation of the inventory. */
  readonly incarnation?: bigint;
  readonly listed: bigint;
  readonly equal: bigint;
  readonly put: bigint;
  readonly compared: bigint;
  readonly managed: bigint;
  readonly gone: bigint;
  readonly unrepresentable: bigint;
}

/** Knowledge of the ingester about the same comparison. */
export interface ComparisonFacts {
  readonly epoch: bigint;
  /** Sequence of the statement. */
  readonly sequence: bigint;
  /** Attempt whose inventory was published completely; 0 if none was. */
  readonly attempt: number;
  /** Objects in that inventory, without those that the initiator manages. */
  readonly sent: bigint;
  /** Incarnation and high watermark of the resource type when the inventory was read. */
  readonly incarnation: bigint;
  readonly highWatermark: bigint;
  /** Lowest sequence of a batch that repairs the resource type in this run; undefined if there is none. */
  readonly firstRepair: bigint | undefined;
  /** Generation of the last scope that was applied in this session. */
  readonly declaredGeneration: bigint;
  /** Generation of this session's scope that last changed the resource type; 0 if an earlier session's did. */
  readonly changedGeneration: bigint;
  /** Undefined until an observation was applied. */
  readonly orderedBy: "VERSION" | "POSITION" | undefined;
  /** Sequence before which messages were lost; 0 if none were. */
  readonly gapSequence: bigint;
  /** Last sequence of this session with a refused item of the resource type; 0 if there is none. */
  readonly refusedSequence: bigint;
}

/** Reason why a comparison proves nothing. */
export interface ComparisonFault {
  /** One word in CamelCase, as `ResourceReconciled` documents it. */
  readonly reason: string;
  readonly message: string;
}

/**
 * Judges a comparison: returns undefined only if the agent's statement agrees with everything that the ingester knows
 * itself. A defect of an agent, or a lost message, can therefore not result in a verified resource type.
 *
 * The ranges of comparisons that run at the same time overlap. A lost message of any resource type fails each
 * comparison whose range contains it. The first repair and the refused items are those of this resource
 * type, so a comparison does not answer for the messages of another one.
 */
export function judgeComparison(
  end: ComparisonStatement,
  facts: ComparisonFacts,
): ComparisonFault | undefined {
  return (
    judgeAttempt(end, facts) ??
    judgeRange(end, facts) ??
    judgeScope(end, facts) ??
    judgeCounts(end, facts) ??
    judgeVersion(end, facts)
  );
}

type Judgement = ComparisonFault | undefined;

function judgeAttempt({ attempt }: ComparisonStatement, facts: ComparisonFacts): Judgement {
  return attempt === facts.attempt
    ? undefined
    : {
        reason: "StaleAttempt",
        message: `expected the end of attempt ${facts.attempt}, found attempt ${attempt}`,
      };
}

function judgeRange({ firstSequence }: ComparisonStatement, facts: ComparisonFacts): Judgement {
  const { sequence, firstRepair, gapSequence, refusedSequence } = facts;
  if (firstSequence < 1n || firstSequence > sequence) {
    return {
      reason: "BadRange",
      message: `expected a first sequence from 1 to ${sequence}, found ${firstSequence}`,
    };
  }
  if (firstRepair !== undefined && firstRepair < firstSequence) {
    return {
      reason: "BadRange",
      message: `expected a first sequence of at most ${firstRepair}, the first repair, found ${firstSequence}`,
    };
  }
  if (gapSequence > firstSequence) {
    return {
      reason: "SequenceGap",
      message: `messages between sequences ${firstSequence} and ${gapSequence} were lost`,
    };
  }
  return refusedSequence >= firstSequence
    ? {
        reason: "Refused",
        message: `an item of sequence ${refusedSequence} could not be applied; see the quarantined objects`,
      }
    : undefined;
}

function judgeScope({ scopeGeneration }: ComparisonStatement, facts: ComparisonFacts): Judgement {
  const { declaredGeneration, changedGeneration } = facts;
  const lowest = changedGeneration > 1n ? changedGeneration : 1n;
  return scopeGeneration >= lowest && scopeGeneration <= declaredGeneration
    ? undefined
    : {
        reason: "ScopeChanged",
        message: `expected a scope generation from ${lowest} to ${declaredGeneration}, found ${scopeGeneration}`,
      };
}

function judgeCounts(end: ComparisonStatement, { sent }: ComparisonFacts): Judgement {
  const { listed, equal, put, managed, gone, unrepresentable, compared } = end;
  if (compared !== sent) {
    return {
      reason: "IncompleteComparison",
      message: `the inventory had ${sent} objects, the agent compared ${compared}`,
    };
  }
  const accounted = equal + put + managed + gone + unrepresentable;
  return listed === accounted
    ? undefined
    : {
        reason: "InconsistentCounts",
        message: `${listed} objects were listed, but equal, put, managed, gone and unrepresentable sum to ${accounted}`,
      };
}

function judgeVersion({ listVersion, incarnation }: ComparisonStatement, facts: ComparisonFacts): Judgement {
  const { epoch, orderedBy, highWatermark } = facts;
  if (incarnation !== undefined && incarnation > epoch) {
    return {
      reason: "BadIncarnation",
      message: `expected an incarnation of at most the session's epoch ${epoch}, found ${incarnation}`,
    };
  }
  const order = listVersion === "" ? "POSITION" : "VERSION";
  if (orderedBy !== undefined && orderedBy !== order) {
    return {
      reason: "OrderChanged",
      message: `expected a comparison by ${orderedBy.toLowerCase()}, found one by ${order.toLowerCase()}`,
    };
  }
  if (order === "POSITION") {
    return undefined;
  }
  if (incarnation !== undefined && incarnation < facts.incarnation) {
    return {
      reason: "VersionsWentBack",
      message: `expected incarnation ${facts.incarnation} or a newer one, found ${incarnation}`,
    };
  }
  const isSameIncarnation = (incarnation ?? facts.incarnation) === facts.incarnation;
  return isSameIncarnation && BigInt(listVersion) < highWatermark
    ? {
        reason: "VersionsWentBack",
        message: `expected a list at version ${highWatermark} or higher, found version ${listVersion}`,
      }
    : undefined;
}
