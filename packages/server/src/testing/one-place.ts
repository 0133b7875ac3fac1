import type { Places } from "../seams.ts";

const root = { compartmentId: "root" };

/** Where everything lies in one compartment. */
export const onePlace: Places = {
  root,
  application: () => root,
  function: () => root,
  trigger: () => root,
  filter: () => root,
};
