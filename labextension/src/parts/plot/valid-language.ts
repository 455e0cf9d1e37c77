// To be imported before uPlot, and `page-language` after it: uPlot makes a number format of the page's
// language while it is loaded. Chromium that was started without a locale (LANG=C, as in containers) has
// "en-US@posix" for that, which is not a language tag, and throws a RangeError.

/** The nearest language tag that `Intl` takes. */
export function validLanguage(language: string): string {
  for (const tag of [language, language.split("@", 1)[0] as string]) {
    try {
      new Intl.NumberFormat(tag);
      return tag;
    } catch {
      // a shorter one, then
    }
  }
  return "en-US";
}

const value = validLanguage(navigator.language);
if (value !== navigator.language) {
  Object.defineProperty(navigator, "language", { value, configurable: true });
}
