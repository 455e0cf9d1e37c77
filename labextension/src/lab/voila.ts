// Voila loads lab extensions, too, but its page has no panels, by which a renderer could find the kernel
// of an output.

/** Whether this is a page of Voila. */
export function isVoila(page: Document): boolean {
  const config = page.getElementById("jupyter-config-data")?.textContent;
  try {
    return (JSON.parse(config ?? "{}") as { appUrl?: unknown }).appUrl === "voila/";
  } catch {
    return false; // what any other page has there
  }
}
