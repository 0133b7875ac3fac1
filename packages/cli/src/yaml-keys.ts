/**
 * A map of YAML, one key a line, with these keys in it, changed where they stand or added at the end; all else stays as it
 * is. For files that other programs own: they are not parsed and written anew.
 */
export function withYamlKeys(text: string, values: Readonly<Record<string, string>>): string {
  const lines = text === "" ? [] : text.replace(/\r?\n$/, "").split("\n");
  for (const [key, value] of Object.entries(values)) {
    // Every JSON text is YAML.
    const line = `${key}: ${JSON.stringify(value)}`;
    const index = lines.findIndex((one) => one.startsWith(`${key}:`));
    if (index === -1) lines.push(line);
    else lines[index] = line;
  }
  return `${lines.join("\n")}\n`;
}
