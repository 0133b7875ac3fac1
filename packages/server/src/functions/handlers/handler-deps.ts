import type { Places } from "../../seams.ts";
import type { RecordDeps } from "../records/commit.ts";

export interface HandlerDeps extends RecordDeps {
  readonly places: Places;
  /** Without a slash at its end; the only source of the URLs that answers carry. */
  readonly publicUrl: () => string;
}
