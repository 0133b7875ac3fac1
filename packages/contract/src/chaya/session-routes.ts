import { route } from "../route.ts";
import { LoginLinkBody, LoginLinkView, SessionBody, SessionView } from "./session-records.ts";

const base = { dialect: "chaya", door: "control" } as const;

/** How a person becomes a session: an administrator makes a link, whoever opens it gets a token. */
export const sessionRoutes = {
  createLoginLink: route({
    ...base,
    method: "POST",
    path: "/chaya/v1/login-links",
    auth: { action: "manage", resource: "users", operation: "CreateLoginLink" },
    summary: "Make a link with which a user logs in once, within 10 minutes.",
    body: LoginLinkBody,
    result: LoginLinkView,
    problems: ["not-authorized", "identity-exhausted", "body-not-json", "request-invalid"],
  }),
  createSession: route({
    ...base,
    method: "POST",
    path: "/chaya/v1/sessions",
    summary: "Exchange a login token for a session. Needs no other credentials.",
    body: SessionBody,
    result: SessionView,
    problems: ["login-token-invalid", "logins-exhausted", "body-not-json", "request-invalid"],
  }),
  deleteSession: route({
    ...base,
    method: "DELETE",
    path: "/chaya/v1/sessions/current",
    status: 204,
    summary: "End the session whose token the request was made with.",
    problems: ["session-missing"],
  }),
} as const;
