const prefix = "OCI_RESOURCE_PRINCIPAL_";

/**
 * The configuration with what OCI's SDKs read of a resource principal beside its files. All variables of this family are
 * the platform's: a function cannot be configured to ask as another.
 */
export function principalEnvironment(
  configured: Readonly<Record<string, string>>,
  region: string,
): Readonly<Record<string, string>> {
  const own = Object.entries(configured).filter(([name]) => !name.startsWith(prefix));
  return { ...Object.fromEntries(own), [`${prefix}VERSION`]: "2.2", [`${prefix}REGION`]: region };
}
