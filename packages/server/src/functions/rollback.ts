import { Problem } from "@chaya/contract";
import type { FunctionImage } from "./records/images.ts";

/** Which of the last images, current one first, to go back to: the wanted one, else the one before. Throws `image-not-found`. */
export function chooseImage(images: readonly FunctionImage[], wanted: string | undefined): string {
  const chosen = wanted === undefined ? images[1] : images.find(({ image }) => image === wanted);
  if (chosen === undefined) throw new Problem("image-not-found", { image: wanted ?? "the image before" });
  return chosen.image;
}
