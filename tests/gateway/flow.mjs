// The tutorial flow of Pinecone through its JavaScript client; flow.py is the same in Python.
// node flow.mjs ADDRESS INDEX KEY prints what was seen as one JSON document.

import { Pinecone } from '@pinecone-database/pinecone';

const DIMENSION = 1536;
const RECORDS = 300;
const BATCH = 100;
const GENRES = ['drama', 'comedy', 'action'];

function vector(seed) {
  let state = seed * 7919 + 1;
  return Array.from({ length: DIMENSION }, () => {
    state = (state * 16807) % 2147483647;
    return state / 2147483647 - 0.5;
  });
}

const round = (number, digits) => Number(number.toFixed(digits));
const sorted = (object) => Object.fromEntries(Object.entries(object).sort(([a], [b]) => (a < b ? -1 : 1)));

const records = Array.from({ length: RECORDS }, (_, at) => ({
  id: `${'ab'[at % 2]}#${String(at).padStart(3, '0')}`,
  values: vector(at),
  metadata: {
    title: `film ${at}`,
    year: 1950 + (at % 75),
    genres: [GENRES[at % 3], GENRES[at % 2]],
    colour: at % 4 !== 0,
  },
}));

const [address, name, apiKey] = process.argv.slice(2);
const client = new Pinecone({ apiKey, controllerHostUrl: address });
const seen = {};

await client.createIndex({
  name,
  dimension: DIMENSION,
  metric: 'cosine',
  spec: { serverless: { cloud: 'aws', region: 'us-east-1' } },
  waitUntilReady: true,
});
const model = await client.describeIndex(name);
const dense = model.schema.fields._values;
seen['index'] = [dense.dimension, dense.metric, model.status.ready];

const index = client.index(name);
const movies = index.namespace('movies');

async function stats() {
  const found = await index.describeIndexStats();
  const counts = Object.entries(found.namespaces).map(([key, value]) => [key, value.recordCount]);
  return [found.totalRecordCount, sorted(Object.fromEntries(counts))];
}

// write
for (let start = 0; start < RECORDS; start += BATCH) {
  await movies.upsert({ records: records.slice(start, start + BATCH) });
}
const plain = Array.from({ length: 5 }, (_, at) => ({ id: `plain-${at}`, values: vector(1000 + at) }));
await index.upsert({ records: plain });

// read
seen['stats'] = await stats();
const found = await movies.query({
  vector: vector(17),
  topK: 5,
  filter: { genres: 'drama', year: { $gte: 1960, $lt: 2010 }, colour: true },
  includeMetadata: true,
});
seen['query'] = found.matches.map((m) => [m.id, round(m.score, 4), m.metadata.title]);
const byId = await movies.query({ id: 'b#003', topK: 3, includeValues: true });
seen['query by id'] = byId.matches.map((m) => [m.id, round(m.score, 4), m.values.length]);
const missing = await movies.query({
  vector: vector(1),
  topK: 4,
  filter: { $or: [{ genres: { $nin: ['comedy', 'action'] } }, { year: 1951 }] },
});
seen['query nin'] = missing.matches.map((m) => m.id);
const elsewhere = await index.query({ vector: vector(1001), topK: 10 });
seen['default namespace'] = elsewhere.matches.map((m) => m.id);

// change
await movies.update({ id: 'a#002', values: vector(5000), metadata: { year: 3000 } });
const changed = await movies.fetch({ ids: ['a#002', 'absent'] });
seen['fetch'] = Object.fromEntries(
  Object.entries(changed.records).map(([id, v]) => [id, [sorted(v.metadata), round(v.values[0], 6)]]),
);
await movies.update({ filter: { year: { $lt: 1955 } }, metadata: { old: true } });
const old = await movies.fetchByMetadata({ filter: { old: true }, limit: 100 });
seen['update by filter'] = Object.keys(old.records).sort();

// delete
await movies.deleteOne({ id: 'a#000' });
await movies.deleteMany({ ids: ['b#001', 'a#002', 'absent'] });
seen['after ids'] = await stats();
await movies.deleteMany({ filter: { genres: { $in: ['action'] } } });
seen['after filter'] = await stats();
seen['pages'] = [];
let paginationToken;
do {
  const page = await movies.listPaginated({ prefix: 'b#0', limit: 7, paginationToken });
  seen['pages'].push(page.vectors.map((item) => item.id));
  paginationToken = page.pagination?.next;
} while (paginationToken);
await index.deleteAll();
seen['after all'] = await stats();

await client.deleteIndex(name);
const left = await client.listIndexes();
seen['left'] = left.indexes.some((one) => one.name === name);

console.log(JSON.stringify(seen));
