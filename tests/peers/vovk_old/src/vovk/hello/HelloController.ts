import { createDecorator, get, post, type VovkRequest } from 'vovk';
import HelloService from './HelloService';

// Puts a JSON Schema into the metadata, as validating decorators do; the server itself looks at nothing.
const declare = createDecorator(
  (_req, next, _body: object) => next(),
  (body: object) => ({ clientValidators: { body, query: null } })
);

// The guide's controller, with a name under which its own client finds it.
export default class HelloController {
  static controllerName = 'HelloController';

  private static helloService = HelloService;

  @post.auto()
  @declare({ type: 'object', properties: { hello: { type: 'string' } } })
  static async *streamTokens(req: VovkRequest<{ hello: string }>) {
    await req.json();
    yield* this.helloService.streamTokens();
  }

  @get.auto()
  static async *failingTokens() {
    yield* this.helloService.failingTokens();
  }
}
