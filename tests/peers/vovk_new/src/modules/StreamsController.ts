import { get, JSONLinesResponder, prefix, type VovkRequest } from 'vovk';
import { newPage, readPage } from './diary';
import { pause } from './HelloService';

const number = (req: VovkRequest<unknown, any>, name: string, otherwise: number) =>
  Number(req.nextUrl.searchParams.get(name) ?? otherwise);

// What the body consists of, a chunk each.
const BODIES: Record<string, (string | Uint8Array)[]> = {
  split: ['{"i":', '0}\n{"i"', ':1}\n'],
  splitCharacter: [...Buffer.from('{"s":"€😀"}\n')].map((byte) => Uint8Array.of(byte)),
  blankLines: ['\n\n{"i":0}\n\n{"i":1}\n'],
  crlf: ['{"i":0}\r\n{"i":1}\r\n'],
  noLineEnd: ['{"i":0}\n{"i":1}'],
  malformed: ['{"i":0}\n', '{oops\n', '{"i":1}\n'],
  truncated: ['{"i":0}\n{"i":1'],
  dies: ['{"i":0}\n', '{"i":1}\n'],
};

@prefix('streams')
export default class StreamsController {
  @get.auto()
  static async *burst(req: VovkRequest<unknown, { n: string }>) {
    const n = number(req, 'n', 100);
    for (let i = 0; i < n; i++) yield { i, t: 'tok' };
  }

  // As fast as this version can: nobody waits for a timer between two items.
  @get.auto()
  static quickBurst(req: VovkRequest<unknown, { n: string }>) {
    const n = number(req, 'n', 100);
    const responder = new JSONLinesResponder<{ i: number; t: string }>(req as unknown as Request);
    void Promise.all(Array.from({ length: n }, (_, i) => responder.send({ i, t: 'tok' }))).then(() =>
      responder.close()
    );
    return responder;
  }

  @get.auto()
  static *fromSync() {
    yield* [{ i: 0 }, { i: 1 }, { i: 2 }];
  }

  @get.auto()
  static async *empty() {}

  @get.auto()
  static async *falsy(): AsyncGenerator<any> {
    yield* [0, '', false, null, [], {}];
  }

  @get.auto()
  static async *texts() {
    yield* ['Hello,', ' World', '', 'a\u2028b\u0085c\nd', '"'];
  }

  @get.auto()
  static async *large() {
    for (let i = 0; i < 5; i++) yield { i, s: '€😀é'.repeat(30_000) };
  }

  // Looks like an error to everybody.
  @get.auto()
  static async *errorLike() {
    yield { isError: false, v: 1 };
    yield { isError: true, reason: 'only an item' };
    yield { v: 2 };
  }

  @get.auto()
  static bytes(req: VovkRequest<unknown, { body: string }>) {
    const name = req.nextUrl.searchParams.get('body');
    const chunks = [...BODIES[name]];
    const encoder = new TextEncoder();
    const body = new ReadableStream({
      async pull(controller) {
        await pause(20);
        const chunk = chunks.shift();
        if (chunk !== undefined) controller.enqueue(typeof chunk === 'string' ? encoder.encode(chunk) : chunk);
        else if (name === 'dies') controller.error(new Error('the stream dies'));
        else controller.close();
      },
    });
    return new Response(body, { headers: { 'content-type': 'application/jsonl; charset=utf-8' } });
  }

  // Goes on until `n`; `diary` tells how far it came and when it was ended.
  @get.auto()
  static async *slow(req: VovkRequest<unknown, { id: string; n: string; pauseMs: string; bytes: string }>) {
    const page = newPage(req.nextUrl.searchParams.get('id'));
    const [n, pauseMs] = [number(req, 'n', 500), number(req, 'pauseMs', 20)];
    const s = 'x'.repeat(number(req, 'bytes', 0));
    req.signal.addEventListener('abort', () => (page.abortedAt = Date.now()), { once: true });
    try {
      while (page.produced < n) {
        if (pauseMs) await pause(pauseMs);
        page.produced++;
        yield { i: page.produced - 1, s };
      }
    } finally {
      page.endedAt = Date.now();
    }
  }

  @get.auto()
  static diary(req: VovkRequest<unknown, { id: string }>) {
    return readPage(req.nextUrl.searchParams.get('id'));
  }
}
