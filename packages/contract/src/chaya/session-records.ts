import { z } from "zod";
import { lazy } from "../route.ts";

const timestamp = () => z.string().meta({ format: "date-time" });

export const LoginLinkBody = lazy(() =>
  z.strictObject({
    /** Id or OCID. */
    user: z.string().min(1),
  }),
);
export const LoginLinkView = lazy(() =>
  z
    .object({
      /** Of the console. Its token stands in the fragment, which browsers send to nobody. */
      url: z.string(),
      expiresAt: timestamp(),
    })
    .meta({ id: "LoginLink" }),
);

export const SessionBody = lazy(() =>
  z.strictObject({
    /** What stands behind `#login=` in a login link. */
    loginToken: z.string().min(1).max(128),
  }),
);
export const SessionView = lazy(() =>
  z
    .object({
      /** To be sent as `Authorization: Bearer TOKEN`; given out once. */
      token: z.string(),
      expiresAt: timestamp(),
      user: z.object({ id: z.string(), name: z.string() }),
    })
    .meta({ id: "Session" }),
);
