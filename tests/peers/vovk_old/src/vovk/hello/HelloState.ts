// The guide's, word for word, but for the `async` that is missing there.
import { clientizeController } from 'vovk/client';
import type HelloController from './HelloController';
import type { Token } from './HelloService';
import metadata from '../vovk-metadata.json' assert { type: 'json' };

const controller = clientizeController<typeof HelloController>(metadata.HelloController);

export async function logTokens() {
    const resp = await controller.streamTokens({
        body: { hello: 'world' },
        isStream: true, // !
    });

    for await (const token of resp) {
        console.log(token satisfies Token);
    }
}
