import type { Migration } from "../driver.ts";
import { foundation } from "./main/0001-foundation.ts";
import { access } from "./main/0002-access.ts";

/** Of the database that holds resources and work, in order. New ones are added at the end. */
export const mainMigrations: readonly Migration[] = [foundation, access];
