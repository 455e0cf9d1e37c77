// What is handed to markdown-it with a source (its `env`). In a file of its own, because the parser
// and its rules both need it.

import type { Env } from "markdown-it";

/** What the rules are told of a source, and the references that they found in it. */
export interface ParserEnv extends Env {
  /** The source goes on: a formula may lack its end. */
  growing?: boolean;
  /** Marks that are open at the end of the last inline text are to be closed. */
  closesOpenMarks?: boolean;
}
