/**
 * True if a text can name an account: 1 to 253 characters, as in the contract. Control characters and halves of
 * surrogate pairs are invalid, because Postgres cannot hold all of them.
 */
export function isAccountName(text: string): boolean {
  return /^[^\p{Cc}\p{Cs}]{1,253}$/u.test(text);
}

/** True if a text can name a cluster: a DNS subdomain of at most 253 characters, as in the contract. */
export function isClusterName(text: string): boolean {
  return text.length <= 253 && /^[a-z0-9]([-a-z0-9]*[a-z0-9])?(\.[a-z0-9]([-a-z0-9]*[a-z0-9])?)*$/.test(text);
}
