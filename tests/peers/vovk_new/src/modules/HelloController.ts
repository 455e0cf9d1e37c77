import { get, post, prefix, type VovkRequest } from 'vovk';
import HelloService from './HelloService';

// The guide's controller, as it is written for this version.
@prefix('hello')
export default class HelloController {
  private static helloService = HelloService;

  @post.auto()
  static async *streamTokens(req: VovkRequest<{ hello: string }>) {
    await req.json();
    yield* HelloController.helloService.streamTokens();
  }

  @get.auto()
  static async *failingTokens() {
    yield* HelloController.helloService.failingTokens();
  }
}
