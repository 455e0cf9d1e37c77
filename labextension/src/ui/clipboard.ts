import { make } from "./element";

/** Put `text` on the clipboard; false if the browser refuses. */
export async function copyText(text: string): Promise<boolean> {
  // Only a secure context has this: a notebook on another host over plain http does not.
  if (navigator.clipboard) {
    try {
      await navigator.clipboard.writeText(text);
      return true;
    } catch (error) {
      console.warn("kkjupyter: the clipboard refused; trying the old way", error);
    }
  }
  const area = make("textarea", "");
  area.value = text;
  area.style.cssText = "position:fixed;opacity:0";
  const focused = document.activeElement as HTMLElement | null;
  document.body.append(area);
  area.select();
  const copied = document.execCommand("copy");
  area.remove();
  focused?.focus();
  return copied;
}
