export type Token = { message: string };

export const pause = (ms: number) => new Promise((resolve) => setTimeout(resolve, ms));

export default class HelloService {
  static async *streamTokens(): AsyncGenerator<Token> {
    for (const message of ['Hello,', ' World', '!']) {
      await pause(300);
      yield { message };
    }
  }

  static async *failingTokens(): AsyncGenerator<Token> {
    yield { message: 'Hello,' };
    throw { hello: 'World' };
  }
}
