// Takes back what `valid-language` has put in front of the page's own language; they are a pair.

Reflect.deleteProperty(navigator, "language");
