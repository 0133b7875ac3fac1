import type { Random } from "../../kernel/random.ts";
import type { OpenAccessDirectory } from "../directory.ts";
import type { AccessRecordDeps } from "../records/commit.ts";
import type { IdentityPlaces } from "./identity-places.ts";

export interface IdentityHandlerDeps extends AccessRecordDeps {
  readonly directory: OpenAccessDirectory;
  readonly places: IdentityPlaces;
  readonly random: Random;
  readonly region: string;
}
