/** The OCID types this platform gives out, with the word each has in an OCID. */
export const ocidTypes = [
  "tenancy",
  "compartment",
  "user",
  "group",
  "dynamicgroup",
  "policy",
  "groupmembership",
  "credential",
  "fnapp",
  "fnfunc",
] as const;

export type OcidType = (typeof ocidTypes)[number];

export interface Ocid {
  readonly type: OcidType;
  /** Empty for what belongs to no region. */
  readonly region: string;
  /** The id of the record: 26 characters, upper case. */
  readonly id: string;
}

/** OCI's identity resources belong to no region. */
const regionless: ReadonlySet<OcidType> = new Set([
  ...(["tenancy", "compartment", "user", "group", "dynamicgroup", "policy", "groupmembership", "credential"] as const),
]);

const uniqueLength = 60;
const uniquePrefix = "aaaaaaaa";

/** The OCID of a record, computed: `ocid1.<type>.oc1.<region>.aaaaaaaa<id in lower case, padded to 60>`. */
export function ocidOf(type: OcidType, id: string, region: string): string {
  const unique = (uniquePrefix + id.toLowerCase()).padEnd(uniqueLength, "a");
  return `ocid1.${type}.oc1.${regionless.has(type) ? "" : region}.${unique}`;
}

const pattern = /^ocid1\.([a-z]+)\.oc1\.([a-z0-9-]*)\.aaaaaaaa([0-7][0-9a-hjkmnp-tv-z]{25})a{26}$/;

/** Reads an OCID that `ocidOf` made, of whatever region: one platform answers for any. Undefined for anything else. */
export function parseOcid(text: string): Ocid | undefined {
  const match = pattern.exec(text);
  if (match === null) return undefined;
  const [, word, region = "", id = ""] = match;
  const type = ocidTypes.find((known) => known === word);
  if (type === undefined || (region === "") !== regionless.has(type)) return undefined;
  return { type, region, id: id.toUpperCase() };
}

/** The record id that `text` names: an OCID of this type, or the id itself as it is. Undefined for an OCID of another type. */
export function idOf(type: OcidType, text: string): string | undefined {
  if (!text.startsWith("ocid1.")) return text;
  const ocid = parseOcid(text);
  return ocid?.type === type ? ocid.id : undefined;
}
