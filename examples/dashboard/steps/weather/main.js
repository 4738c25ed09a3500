// Writes the weather of a city to InfluxDB, at the time that it was observed.

"use strict";

const { step, writePoint } = require("etl-node");
const { weather } = require("openweather");

step(async (city) => {
  const { name, dt, weather: [sky], main, wind } = await weather(process.env.OPENWEATHER_URL, city);
  const fields = {
    weather: sky.main,
    description: sky.description,
    temp: main.temp,
    feels_like: main.feels_like,
    low: main.temp_min,
    high: main.temp_max,
    barometric_pressure: main.pressure,
    humidity: main.humidity,
    wind: wind.speed,
  };
  await writePoint(process.env.INFLUX_URL, "weather", { city: name }, fields, dt);
});
