// Names that are made up (apiserver SimpleNameGenerator).

/** No vowels and no look-alikes, so that they form no words. */
export const SAFE_LETTERS = 'bcdfghjklmnpqrstvwxz2456789';
const SUFFIX_LENGTH = 5;
/** RFC 1123 label: a pod's name is also its host name. */
const MAX_NAME_LENGTH = 63;

/** The prefix, cut so that the name stays within its limit, and five random letters. */
export function generatedName(prefix: string, random: () => number): string {
  const letters = Array.from({ length: SUFFIX_LENGTH }, () => SAFE_LETTERS[Math.floor(random() * SAFE_LETTERS.length)]);
  return prefix.slice(0, MAX_NAME_LENGTH - SUFFIX_LENGTH) + letters.join('');
}
