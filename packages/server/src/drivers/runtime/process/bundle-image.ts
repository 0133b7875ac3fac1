/** The digest of the code bundle that an image text names, `bundle/<app>/<function>:sha256-<digest>`; undefined for others. */
export function digestOfBundleImage(image: string): string | undefined {
  return /^bundle\/[^/]+\/[^/]+:sha256-([0-9a-f]{64})$/.exec(image)?.[1];
}
