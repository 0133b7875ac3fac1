import { startPostgres } from "./postgres.ts";

/** One PostgreSQL for the whole run, unless whoever started vitest brings one in CHAYA_TEST_POSTGRES. */
export async function setup(): Promise<(() => Promise<void>) | undefined> {
  if (process.env.CHAYA_TEST_POSTGRES !== undefined) return undefined;
  const postgres = await startPostgres();
  process.env.CHAYA_TEST_POSTGRES = postgres.url;
  return () => postgres.stop();
}
