// The page's shared modules: JupyterLab hands them to every extension. What is bundled instead would
// be a second copy, whose tokens and classes nobody else knows.

interface Version {
  get(): Promise<() => unknown>;
  loaded?: unknown;
}

export type ShareScope = Record<string, Record<string, Version>>;

let scope: ShareScope = {};

export function useScope(given: ShareScope): void {
  scope = given;
}

/** A module that the page shares; rejects if it shares none of that name. */
export async function shared<Module>(name: string): Promise<Module> {
  const versions = scope[name] ?? {};
  const chosen = choose(versions);
  const version = chosen === undefined ? undefined : versions[chosen];
  if (!version) throw new Error(`kkjupyter: this page shares no ${name}`);
  return (await version.get())() as Module;
}

/** The same, or null: a page of another kind may not have it. */
export async function sharedIfAny<Module>(name: string): Promise<Module | null> {
  return Object.keys(scope[name] ?? {}).length ? shared<Module>(name) : null;
}

/** As for any module of which there is one: the version that is in use, else the newest. */
function choose(versions: Record<string, Version>): string | undefined {
  return Object.keys(versions).reduce<string | undefined>((best, version) => {
    if (best === undefined) return version;
    return !versions[best]?.loaded && isOlder(best, version) ? version : best;
  }, undefined);
}

function isOlder(one: string, other: string): boolean {
  const collator = new Intl.Collator("en", { numeric: true });
  return collator.compare(one, other) < 0;
}
