// What every TypeScript client is sent to do; the counterpart of errands.py.
export const ANSWER = 'forty-two';
const SECONDS = 60;

const must = (condition, text) => { if (!condition) throw new Error(text); };
const textOf = (result) => result.content.map((block) => block.text ?? '').join(' ');

async function call(peer, errand) {
    const text = textOf(await peer.call(errand.tool, errand.arguments, {}));
    must(text.includes(errand.expect), `${errand.expect} is not in ${text.slice(0, 500)}`);
    return text.slice(0, 80);
}

const DO = {
    async list(peer, errand) {
        const names = await peer.names();
        must(names.includes(errand.tool), `${errand.tool} is not among ${names}`);
        return `${names.length} tools`;
    },
    call,
    elicitation: call,
    sampling: call,
    async progress(peer, errand) {
        let steps = 0;
        await peer.call(errand.tool, errand.arguments, { onprogress: () => { steps += 1; } });
        must(steps > 0, 'no progress was reported');
        return `${steps} steps`;
    },
    async cancel(peer, errand) {
        const abort = new AbortController();
        const options = { signal: abort.signal, onprogress: () => abort.abort() };
        const outcome = await peer.call(errand.tool, errand.arguments, options).then(() => 'answered', () => 'cancelled');
        must(outcome === 'cancelled', 'answered all the same');
        await call(peer, errand.after);
        return 'and the next call is answered';
    },
};

const late = () => new Promise((_, reject) => {
    setTimeout(() => reject(new Error(`not done within ${SECONDS} s`)), SECONDS * 1000).unref();
});

export async function run(connect) {
    for (const errand of JSON.parse(process.argv[2])) {
        let line = { server: errand.server, what: errand.what, failed: false };
        try {
            const peer = await Promise.race([connect(errand.url), late()]);
            line.said = await Promise.race([DO[errand.what](peer, errand), late()]);
            await peer.close();
        } catch (error) {
            line = { ...line, failed: true, said: String(error).slice(0, 800) };
        }
        console.log(JSON.stringify(line));
    }
    process.exit(0);
}

// A client's answers, the same in both SDKs.
export const user = (request) => ({
    action: 'accept',
    content: Object.fromEntries(Object.keys(request.params.requestedSchema.properties).map((key) => [key, ANSWER])),
});
export const model = () => ({ role: 'assistant', model: 'none', content: { type: 'text', text: ANSWER } });
