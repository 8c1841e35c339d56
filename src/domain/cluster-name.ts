/** Whether a text can name a cluster: a DNS subdomain of at most 253 characters, as the contract has it. */
export function isClusterName(text: string): boolean {
  return text.length <= 253 && /^[a-z0-9]([-a-z0-9]*[a-z0-9])?(\.[a-z0-9]([-a-z0-9]*[a-z0-9])?)*$/.test(text);
}
