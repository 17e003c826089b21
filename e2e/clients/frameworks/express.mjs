// An Express application that answers with what Express reads of the person who asks.
import express from "express";

const app = express();
app.set("trust proxy", true);
app.use((req, res) => {
  const read = Object.fromEntries([].concat(req.query.name).map((name) => [name, req.get(name) ?? ""]));
  Object.assign(read, { address: req.ip, method: req.method, place: `${req.protocol}://${req.host}${req.path}` });
  res.json(read);
});
app.listen(Number(process.env.PORT), "127.0.0.1");
