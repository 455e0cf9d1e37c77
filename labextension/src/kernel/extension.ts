// Whether this page has the lab extension, which then draws all outputs.

import { pageGlobal } from "../ui/page-globals";

class Extension {
  isThere = false;
}

export function extensionOfPage(): { isThere: boolean } {
  return pageGlobal("kkjupyterExtension", Extension);
}
