"""The original's endpoint: Flask in front of Keras, started by gunicorn behind nginx. `MODEL` names the saved model."""

import io
import os

import flask
import numpy as np
import tensorflow as tf

app = flask.Flask(__name__)
model = tf.keras.models.load_model(os.environ["MODEL"])


@app.route("/ping", methods=["GET"])
def ping() -> flask.Response:
    """Healthy once the model is loaded."""
    return flask.Response(status=200)


@app.route("/invocations", methods=["POST"])
def invocations() -> flask.Response:
    """Predicts rows of CSV: one column for each sex, then the measures."""
    if flask.request.content_type != "text/csv":
        return flask.Response("This predictor only supports CSV data", status=415)
    rows = np.loadtxt(io.StringIO(flask.request.get_data(as_text=True)), delimiter=",", ndmin=2)
    estimates = model.predict(tf.keras.utils.normalize(rows, axis=1), verbose=0)
    return flask.Response("".join(f"{value}\n" for value in estimates[:, 0]), mimetype="text/csv")
