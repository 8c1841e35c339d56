/**
 * Whether a text can name an account: 1 to 253 characters, as the contract has it, none of which is a control
 * character or half of a surrogate pair, which Postgres could not hold.
 */
export function isAccountName(text: string): boolean {
  return /^[^\p{Cc}\p{Cs}]{1,253}$/u.test(text);
}

/** Whether a text can name a cluster: a DNS subdomain of at most 253 characters, as the contract has it. */
export function isClusterName(text: string): boolean {
  return text.length <= 253 && /^[a-z0-9]([-a-z0-9]*[a-z0-9])?(\.[a-z0-9]([-a-z0-9]*[a-z0-9])?)*$/.test(text);
}
