import { get, operation, post, prefix, procedure } from 'vovk';
import { z } from 'zod';

@prefix('valid')
export default class ValidController {
  @operation({ summary: 'Say words', description: 'Each word is a message of its own.' })
  @post('rooms/{room}')
  static say = procedure({
    body: z.object({ words: z.array(z.string().max(10)) }),
    query: z.object({ shout: z.enum(['yes', 'no']).optional() }),
    params: z.object({ room: z.string() }),
    iteration: z.object({ room: z.string(), message: z.string().max(8) }),
    validateEachIteration: true,
  }).handle(async function* ({ vovk }) {
    const { words } = await vovk.body();
    const { room } = vovk.params();
    const isLoud = vovk.query().shout === 'yes';
    for (const word of words) yield { room, message: isLoud ? word.toUpperCase() : word };
  });

  @post.auto()
  static double = procedure({
    body: z.object({ n: z.number().int().min(1) }),
    output: z.object({ doubled: z.number() }),
  }).handle(async ({ vovk }) => ({ doubled: (await vovk.body()).n * 2 }));

  @get.auto()
  static search = procedure({
    query: z.object({
      q: z.string(),
      tags: z.array(z.string()).optional(),
      where: z.object({ city: z.string() }).optional(),
    }),
    output: z.object({ query: z.any() }),
  }).handle(({ vovk }) => ({ query: vovk.query() }));
}
