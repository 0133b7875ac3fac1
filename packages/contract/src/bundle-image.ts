/** A code bundle as an image: `bundle/<application>/<function>:sha256-<digest>`. The names are for people only. */
export function bundleImage(bundle: {
  readonly application: string;
  readonly function: string;
  readonly digest: string;
}): string {
  return `bundle/${bundle.application}/${bundle.function}:sha256-${bundle.digest}`;
}

/** The digest that an image of this form names; undefined for every other image. */
export function digestOfImage(image: string): string | undefined {
  return /^bundle\/[^/]+\/[^/]+:sha256-([0-9a-f]{64})$/.exec(image)?.[1];
}
