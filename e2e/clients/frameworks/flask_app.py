"""A Flask application that answers with what Flask reads of the person who asks."""

from flask import Flask, jsonify, request

application = Flask(__name__)


@application.route("/", defaults={"path": ""}, methods=["GET", "POST"])
@application.route("/<path:path>", methods=["GET", "POST"])
def tell(path):
    read = {name: request.headers.get(name, "") for name in request.args.getlist("name")}
    read.update({"environment of " + name: request.environ.get("HTTP_" + name.upper().replace("-", "_"), "") for name in request.args.getlist("name")})
    read.update(user=request.remote_user or "", address=request.headers.get("X-Forwarded-For", ""), method=request.method, place=request.path)
    return jsonify(read)
