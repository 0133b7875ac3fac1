import { z } from "zod";
import { limits } from "../limits.ts";
import { lazy } from "../route.ts";

/** Key to value, without a scheme. */
export const FreeformTags = lazy(() =>
  z
    .record(z.string().min(1).max(limits.tagKeyCharactersMax), z.string().max(limits.tagValueCharactersMax))
    .refine((tags) => Object.keys(tags).length <= limits.freeformTagsMax, {
      error: `at most ${limits.freeformTagsMax} free-form tags are allowed`,
    }),
);

/** Namespace to key to value; the namespaces are taken as they come. */
export const DefinedTags = lazy(() =>
  z
    .record(z.string().min(1).max(limits.tagKeyCharactersMax), z.record(z.string().min(1), z.unknown()))
    .refine((tags) => Object.values(tags).flatMap(Object.keys).length <= limits.definedTagsMax, {
      error: `at most ${limits.definedTagsMax} defined tags are allowed`,
    }),
);
