/** Text that both stores take: a NUL or half of a surrogate pair, which neither keeps as text, becomes U+FFFD. */
export function storableText(text: string): string;
export function storableText(text: string | undefined): string | null;
export function storableText(text: string | undefined): string | null {
  if (text === undefined) return null;
  return (text.includes("\u0000") ? text.replaceAll("\u0000", "\ufffd") : text).toWellFormed();
}
