// The blocks of an answer that need no more than a text; those that do have a file each.

import { make } from "../../ui/element";

/** What stands below the block before, and perhaps still grows. */
export interface Block {
  readonly element: HTMLElement;
  /** Draw what is pending now. */
  flush?(): void;
  /** Nothing is added any more. Idempotent. */
  ended?(): void;
  dispose?(): void;
}

/** A line that tells of something: what is not shown, why the answer ended. */
export function lineBlock(text: string, kind = "note"): Block {
  return { element: make("div", `kkj-answer-${kind}`, text) };
}

/** Raster types only: an SVG may contain scripts and addresses. */
const IMAGE = /^data:image\/(?:png|jpe?g|gif|webp);base64,[A-Za-z0-9+/=]+$/i;
const SOUND = /^data:audio\/[\w.+-]+;base64,[A-Za-z0-9+/=]+$/i;
const WEB = /^https?:\/\/\S+$/i;

/** A picture from data; of one that is elsewhere, the link: nothing is fetched unasked. */
export function imageBlock(source: string, name: string): Block {
  if (!IMAGE.test(source)) return linkBlock(source, name);
  const element = make("div", "kkj-answer-media");
  const image = make("img", "");
  image.alt = name;
  image.src = source;
  element.append(image);
  return { element };
}

/** A sound to be played; a line until all of it is there. */
export class SoundBlock implements Block {
  readonly element = make("div", "kkj-answer-media");

  show(source: string, name: string): void {
    if (!SOUND.test(source)) {
      this.element.replaceChildren(linkBlock(source, name).element);
      return;
    }
    const player = make("audio", "");
    player.controls = true;
    player.setAttribute("aria-label", name);
    player.src = source;
    this.element.replaceChildren(player);
  }
}

function linkBlock(source: string, name: string): Block {
  const block = lineBlock(`[${name}]`);
  if (WEB.test(source)) {
    const link = make("a", "", source);
    link.href = source;
    link.target = "_blank";
    link.rel = "noopener noreferrer";
    block.element.append(" ", link);
  }
  return block;
}
