// The collection `ensembl` of the database that the address names.

import { MongoClient } from "mongodb";

export class Store {
  #client;

  static async open(url) {
    const store = new Store();
    store.#client = await MongoClient.connect(url, { appName: "ensembl", serverSelectionTimeoutMS: 15_000 });
    return store;
  }

  // Each takes the place of the one with its _id: however often it is put, it is there once.
  async put(documents) {
    if (documents.length === 0) return;
    const writes = documents.map((document) => ({
      replaceOne: { filter: { _id: document._id }, replacement: document, upsert: true },
    }));
    await this.#client.db().collection("ensembl").bulkWrite(writes);
  }

  async close() {
    await this.#client.close();
  }
}
