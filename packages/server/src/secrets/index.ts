export { createSecrets, type Secrets, type SecretsDeps } from "./secrets.ts";
