// One round of the peers' figures: node peers.mjs MODULES. One JSON line each, by the names that policy.c gives them.
// A peer that cannot be loaded is a line that says why. Expressions are compiled before the clock starts.
import {pathToFileURL} from 'node:url'
import {readFileSync} from 'node:fs'
import path from 'node:path'

const modules = path.resolve(process.argv[2], 'node_modules')
const tail = ' && http.method in ["GET","POST"] && http.path.startsWith("/api/v3")'
const a = 'network.hostname == "github.com"' + tail
const b = 'run.tool == "git" && "-f" in run.flags'
const c = 'network.hostname.endsWith(".openai.com") && network.port == 443 && http.headers.all(k, k != "authorization")'
const thousand = Array.from({length: 1000}, (_, i) => `network.hostname == "host${i}.example.com"` + tail)

const headers = {accept: '*/*', host: 'api.openai.com', 'user-agent': 'agent/1.0', 'content-type': 'application/json',
    'x-request-id': '42'}
const context = (hostname) => ({
    network: {hostname, port: 443n},
    http: {method: 'GET', path: '/api/v3/user', headers},
    run: {tool: 'git', flags: ['-v', '-f']}
})
const figures = [
    ['rule (a), true', [a], context('github.com'), true],
    ['rule (a), false at the first term', [a], context('gitlab.com'), false],
    ['rule (b), true', [b], context('github.com'), true],
    ['rule (c), true', [c], context('api.openai.com'), true],
    ['1000 rules (a), the last one matches, every rule looked at', thousand, context('host999.example.com'), true]
]

// Each: a function that makes a function of (context) out of an expression.
const peers = {
    '@marcbachmann/cel-js': ({Environment}) => {
        const env = new Environment()
        for (const name of ['network', 'http', 'run'])
            env.registerVariable(name, 'dyn') // the fastest of its ways to declare them
        return (expression) => env.parse(expression)
    },
    '@bufbuild/cel': ({celEnv, parse, plan}) => {
        const env = celEnv()
        return (expression) => plan(env, parse(expression))
    }
}

function entry(folder, manifest) {
    const main = manifest.exports['.']
    return pathToFileURL(path.join(folder, main.import?.default ?? main.import ?? main.default)).href
}

function firstMatch(rules, facts) {
    for (const rule of rules)
        if (rule(facts) === true)
            return true
    return false
}

// Nanoseconds of one call: the median of short batches, as in policy.c, after a second of processor time (two for many
// rules) to warm up, since a busy machine would give the compiler no chance otherwise. A batch that is longer than a
// turn on a busy machine measures its neighbours: then the processor time, when that is less.
function timed(call, seconds) {
    let calls = 0
    const before = process.cpuUsage()
    for (let used = {user: 0, system: 0}; used.user + used.system < seconds * 1e6; used = process.cpuUsage(before))
        for (let i = 0; i < 10; i++, calls++)
            call()
    const batch = Math.max(1, Math.ceil(calls / seconds / 1000))
    const took = []
    const start = process.cpuUsage()
    for (let n = 0; n < 101; n++) {
        const begin = process.hrtime.bigint()
        for (let i = 0; i < batch; i++)
            call()
        took.push(Number(process.hrtime.bigint() - begin) / batch)
    }
    const used = process.cpuUsage(start)
    return Math.min(took.sort((x, y) => x - y)[took.length >> 1], (used.user + used.system) * 1000 / (batch * took.length))
}

function measure(peer, version, compile) {
    for (const [name, expressions, facts, expected] of figures) {
        const rules = expressions.map(compile)
        if (firstMatch(rules, facts) !== expected)
            console.log(JSON.stringify({name, peer, skipped: `gives something else than ${expected}`}))
        else
            console.log(JSON.stringify({name, peer, version, value: timed(() => firstMatch(rules, facts), rules.length > 1 ? 2 : 1)}))
    }
}

for (const [peer, compiler] of Object.entries(peers)) {
    try {
        const folder = path.join(modules, peer)
        const manifest = JSON.parse(readFileSync(path.join(folder, 'package.json'), 'utf8'))
        measure(peer, manifest.version, compiler(await import(entry(folder, manifest))))
    } catch (e) {
        console.log(JSON.stringify({peer, skipped: String(e.message).split('\n')[0]}))
    }
}
