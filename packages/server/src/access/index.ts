export { type Access, type Credentials, createAccess } from "./access.ts";
