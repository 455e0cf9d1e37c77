// The icons of a code block's buttons: lines on a field of 16 by 16.

const SVG = "http://www.w3.org/2000/svg";

const LINES = {
  copy: "M5.5 5.5V3A.5.5 0 0 1 6 2.5H13a.5.5 0 0 1 .5.5V10a.5.5 0 0 1-.5.5H10.5M2.5 6v7a.5.5 0 0 0 .5.5h7a.5.5 0 0 0 .5-.5V6a.5.5 0 0 0-.5-.5H3a.5.5 0 0 0-.5.5Z",
  done: "M3 8.5 6.5 12 13 4.5",
  refused: "M4 4l8 8M12 4l-8 8",
  wrap: "M2.5 3.5h11M2.5 8h8.5a2.25 2.25 0 0 1 0 4.5H8M9.75 10.75 8 12.5l1.75 1.75M2.5 12.5h3",
  insert: "M2.5 2.5h11v4h-11ZM8 9v5M5.5 11.5h5",
};

export type IconName = keyof typeof LINES;

/** Its colour is that of the text around it. */
export function makeIcon(name: IconName): SVGElement {
  const icon = document.createElementNS(SVG, "svg");
  icon.setAttribute("viewBox", "0 0 16 16");
  icon.setAttribute("aria-hidden", "true");
  icon.setAttribute("class", `kkj-icon kkj-icon-${name}`);
  const path = document.createElementNS(SVG, "path");
  path.setAttribute("d", LINES[name]);
  icon.append(path);
  return icon;
}
