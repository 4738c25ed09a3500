// OpenWeather: the weather of a city now (https://openweathermap.org/current).

"use strict";

const { getJson, parse, validator } = require("etl-node");

const number = { type: "number" };
const text = { type: "string" };
const required = (properties) => ({ type: "object", properties, required: Object.keys(properties) });

const check = validator("the weather", required({
  name: text,
  dt: { type: "integer" },
  weather: { type: "array", minItems: 1, items: required({ main: text, description: text }) },
  main: required({ temp: number, feels_like: number, temp_min: number, temp_max: number, pressure: number, humidity: number }),
  wind: required({ speed: number }),
}));

async function weather(uri, city) {
  const { url, password } = parse(uri);
  const key = password ? { appid: password } : {};
  return check(await getJson(`${url}/data/2.5/weather`, { q: city, units: "metric", ...key }));
}

module.exports = { weather };
