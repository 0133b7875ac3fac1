import { digestOfImage, Problem } from "@chaya/contract";
import { chayaRoutes, type ImageView } from "@chaya/contract/chaya";
import { type ControlRoute, control } from "../../http/control-route.ts";
import { readBundles } from "../records/bundles.ts";
import type { RecordDeps } from "../records/commit.ts";
import { readFunction, switchImage } from "../records/functions.ts";
import { type FunctionImage, readImages } from "../records/images.ts";
import { chooseImage } from "../rollback.ts";
import type { HandlerDeps } from "./handler-deps.ts";

export function imageRoutes(deps: HandlerDeps): readonly ControlRoute[] {
  return [
    control(
      chayaRoutes.listImages,
      ({ params }) => deps.places.function(params.fnId),
      async ({ params }) => {
        const record = await readFunction(deps, params.fnId);
        if (record === undefined) throw new Problem("function-not-found", { function: params.fnId });
        const images = await readImages(deps.store.db, record.id);
        return { result: { items: await viewImages(deps, images, record.image) } };
      },
    ),
    control(
      chayaRoutes.rollback,
      ({ params }) => deps.places.function(params.fnId),
      async ({ params, body }) => {
        const { record, seq } = await switchImage(deps, params.fnId, (images) => chooseImage(images, body.image));
        const images = await readImages(deps.store.db, record.id);
        const switched = images.filter(({ image }) => image === record.image);
        const [result] = await viewImages(deps, switched, record.image);
        return { result, seq };
      },
    ),
  ];
}

async function viewImages(deps: RecordDeps, images: readonly FunctionImage[], current: string): Promise<ImageView[]> {
  const digests = images.map(({ image }) => digestOfImage(image)).filter((digest) => digest !== undefined);
  const bundles = new Map((await readBundles(deps, digests)).map((bundle) => [bundle.digest, bundle]));
  return images.map(({ image, createdAtMs }) => {
    const digest = digestOfImage(image);
    const bundle = digest === undefined ? undefined : bundles.get(digest);
    return {
      image,
      ...(digest && { digest }),
      ...(bundle && { bytes: bundle.bytes }),
      createdAt: new Date(createdAtMs).toISOString(),
      isCurrent: image === current,
    };
  });
}
