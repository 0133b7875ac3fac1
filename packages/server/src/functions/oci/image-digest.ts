import { digestOfImage, Problem } from "@chaya/contract";
import type { OciMembers, StoredFunction } from "../model.ts";

/** Kept together with the image it was given for: the Fn API knows no digests and may set another image. */
const keptName = "imageDigest";

/** The digest that was given for `image`, as a member to keep. Throws `request-invalid` when the image names another. */
export function keptDigest(image: string, digest: string | undefined): OciMembers {
  if (digest === undefined) return {};
  const named = namedDigest(image);
  if (named !== undefined && named !== digest)
    throw new Problem("request-invalid", { where: "body imageDigest", reason: "the image has another digest" });
  return { [keptName]: { image, digest } };
}

/** The digest of the image that the function has now, where it is known. */
export function shownDigest({ image, ociMembers }: StoredFunction): string | undefined {
  const kept = ociMembers[keptName];
  if (typeof kept === "object" && kept !== null && Reflect.get(kept, "image") === image)
    return String(Reflect.get(kept, "digest"));
  return namedDigest(image);
}

function namedDigest(image: string): string | undefined {
  const digest = digestOfImage(image);
  return digest === undefined ? undefined : `sha256:${digest}`;
}
