"""Model files: every format scores as its own library does, and none runs code unasked."""

from __future__ import annotations

import gc
import json
import os
import pickle
import pickletools
import subprocess
import sys
import time
import zipfile
from pathlib import Path

import lightgbm as lgb
import numpy as np
import pandas as pd
import pytest
from hypothesis import given
from hypothesis import strategies as st
from sklearn.compose import make_column_transformer
from sklearn.ensemble import GradientBoostingClassifier, GradientBoostingRegressor
from sklearn.linear_model import LinearRegression, LogisticRegression, RidgeClassifier
from sklearn.pipeline import make_pipeline
from sklearn.preprocessing import FunctionTransformer, OneHotEncoder, StandardScaler

from mortis.problems import InputProblem, WorkProblem
from mortis.sources.models import MODEL_FORMATS, ModelFormat, Scorer, open_model, register_model_format, unpickling
from mortis.sources.models.matrices import as_matrix, coded
from mortis.sources.models.pickles import imports_of
from mortis.sources.models.scorer import needed

xgb = pytest.importorskip("xgboost", reason="xgboost is not installed")
joblib = pytest.importorskip("joblib", reason="joblib is not installed")
skops_io = pytest.importorskip("skops.io", reason="skops is not installed")
onnxruntime = pytest.importorskip("onnxruntime", reason="onnxruntime is not installed")
skl2onnx = pytest.importorskip("skl2onnx", reason="skl2onnx is not installed")

ROWS = 400
ORIGINS = ("EWR", "JFK", "LGA")


@pytest.fixture(scope="module")
def frame():
    """Rows of two numbers and a category."""
    rng = np.random.default_rng(5)
    rows = pd.DataFrame({"delay": rng.normal(10, 20, ROWS), "wind": rng.exponential(5, ROWS)})
    rows["origin"] = rng.choice(ORIGINS, ROWS)
    return rows


@pytest.fixture(scope="module")
def late(frame):
    noise = np.random.default_rng(6).normal(0, 10, ROWS)
    return (frame["delay"] + 20 * (frame["origin"] == "LGA") + noise > 15).to_numpy().astype(int)


@pytest.fixture(scope="module")
def weather(late, frame):
    """Three classes."""
    return np.where(frame["wind"] > 8, "storm", np.where(late == 1, "late", "fine"))


@pytest.fixture
def columns(frame):
    """The rows as the log has them, in an order of its own, with a column that no model reads."""
    return {
        "origin": frame["origin"].to_numpy(dtype=object),
        "request": np.array(["r"] * ROWS, dtype=object),
        "wind": frame["wind"].to_numpy(),
        "delay": frame["delay"].to_numpy(),
    }


def categorical(frame):
    return frame.assign(origin=pd.Categorical(frame["origin"], categories=ORIGINS))


def close(scores, expected, tolerance=1e-12):
    np.testing.assert_allclose(scores, expected, rtol=0, atol=tolerance)


def first_column(columns):
    return next(iter(columns.values()))


def boosted(data, label, **settings):
    settings = {"verbose": -1, "num_threads": 1, "min_data_in_leaf": 10, "seed": 1, **settings}
    return lgb.train(settings, lgb.Dataset(data, label), num_boost_round=8)


class TestLightGBM:
    def test_scores_are_the_librarys_own_whatever_the_columns_order(self, tmp_path, frame, late, columns):
        booster = boosted(categorical(frame), late, objective="binary")
        booster.save_model(tmp_path / "v1.txt")
        scorer = open_model(tmp_path / "v1.txt")
        assert scorer.features == ("delay", "wind", "origin")
        close(scorer.score(columns), booster.predict(categorical(frame)))

    @pytest.mark.parametrize("suffix", [".txt", ".lgb", ".model"])
    def test_each_suffix_is_known(self, tmp_path, frame, late, columns, suffix):
        booster = boosted(frame[["delay", "wind"]], late, objective="binary")
        booster.save_model(tmp_path / f"v1{suffix}")
        close(open_model(tmp_path / f"v1{suffix}").score(columns), booster.predict(frame[["delay", "wind"]]))

    def test_unseen_and_missing_categories_are_scored_as_missing(self, tmp_path, frame, late):
        booster = boosted(categorical(frame), late, objective="binary")
        booster.save_model(tmp_path / "v1.txt")
        odd = {
            "delay": np.array([np.nan, 5.0]),
            "wind": np.array([1.0, 2.0]),
            "origin": np.array(["ORD", None], object),
        }
        gone = pd.DataFrame({**odd, "origin": pd.Categorical([None, None], categories=ORIGINS)})
        close(open_model(tmp_path / "v1.txt").score(odd), booster.predict(gone))

    def test_numeric_categories_are_found_by_their_values(self, tmp_path, frame, late):
        rows = pd.DataFrame({"delay": frame["delay"], "gate": pd.Categorical(frame["wind"].round().clip(1, 4) * 10)})
        booster = boosted(rows, late, objective="binary")
        booster.save_model(tmp_path / "v1.txt")
        logged = {"gate": rows["gate"].astype(float).to_numpy(), "delay": rows["delay"].to_numpy()}
        close(open_model(tmp_path / "v1.txt").score(logged), booster.predict(rows))

    def test_three_classes_give_three_columns_and_a_regression_values(self, tmp_path, frame, weather, columns):
        data = frame[["delay", "wind"]]
        codes = np.unique(weather, return_inverse=True)[1]
        several = boosted(data, codes, objective="multiclass", num_class=3)
        value = boosted(data, frame["wind"] * 2, objective="regression")
        for name, booster in (("several", several), ("value", value)):
            booster.save_model(tmp_path / f"{name}.txt")
            close(open_model(tmp_path / f"{name}.txt").score(columns), booster.predict(data))
        assert open_model(tmp_path / "several.txt").score(columns).shape == (ROWS, 3)

    @pytest.mark.parametrize("objective", ["binary", "regression", "poisson", "lambdarank"])
    @pytest.mark.parametrize("boosting", ["gbdt", "dart", "rf"])
    @pytest.mark.parametrize("tree", [{}, {"linear_tree": True}, {"min_data_in_leaf": ROWS}])
    def test_no_kind_of_whole_model_is_taken_for_a_damaged_one(
        self, tmp_path, frame, late, columns, objective, boosting, tree
    ):
        """Trees of one leaf, linear trees, and trees that split on categories have lines of their own."""
        data = frame[["delay", "wind"]].assign(origin=frame["origin"].map(ORIGINS.index).astype(float))
        settings = {"objective": objective, "boosting": boosting, "bagging_freq": 1, "bagging_fraction": 0.7, **tree}
        group = [ROWS // 4] * 4 if objective == "lambdarank" else None
        rows = lgb.Dataset(data, late, group=group, categorical_feature=[2])
        booster = lgb.train({"verbose": -1, "num_threads": 1, "min_data_in_leaf": 10, **settings}, rows, 4)
        booster.save_model(tmp_path / "v1.txt")
        logged = {**columns, "origin": data["origin"].to_numpy()}
        close(open_model(tmp_path / "v1.txt").score(logged), booster.predict(data))

    def test_names_with_blanks_are_found(self, tmp_path, frame, late):
        booster = boosted(frame[["delay", "wind"]].rename(columns={"delay": "dep delay"}), late, objective="binary")
        booster.save_model(tmp_path / "v1.txt")
        scores = open_model(tmp_path / "v1.txt").score(
            {"wind": frame["wind"].to_numpy(), "dep delay": frame["delay"].to_numpy()}
        )
        close(scores, booster.predict(frame[["delay", "wind"]].to_numpy()))

    def test_without_names_the_callers_order_counts_and_the_number_must_fit(self, tmp_path, frame, late):
        matrix = frame[["delay", "wind"]].to_numpy()
        booster = boosted(matrix, late, objective="binary")
        booster.save_model(tmp_path / "v1.txt")
        scorer = open_model(tmp_path / "v1.txt")
        assert scorer.features is None
        close(scorer.score({"a": matrix[:, 0], "b": matrix[:, 1]}), booster.predict(matrix))
        with pytest.raises(InputProblem, match=r"takes 2 features and doesn't name them, and 1 are given \(a\)"):
            scorer.score({"a": matrix[:, 0]})

    def test_text_without_categories_is_told(self, tmp_path, frame, late, columns):
        boosted(frame[["delay", "wind"]].rename(columns={"wind": "origin"}), late).save_model(tmp_path / "v1.txt")
        with pytest.raises(InputProblem, match="feature 'origin' is text, and the model file carries no categories"):
            open_model(tmp_path / "v1.txt").score(columns)

    def test_a_damaged_text_is_told_and_never_ends_the_process(self, tmp_path, frame, late):
        """The library's own parser ends the whole process on many of these."""
        boosted(categorical(frame), late, objective="binary").save_model(tmp_path / "v1.txt")
        text = (tmp_path / "v1.txt").read_text()
        trees = text[: text.index("end of trees")].splitlines(keepends=True)
        damaged = [
            text[: len(text) * i // 12] for i in range(1, 10) if "end of trees" not in text[: len(text) * i // 12]
        ]
        for key in (
            "feature_names",
            "tree_sizes",
            "num_leaves",
            "cat_threshold",
            "cat_boundaries",
            "left_child",
            "leaf_value",
        ):
            place = max(i for i, line in enumerate(trees) if line.startswith(f"{key}="))
            damaged.append("".join(trees[:place] + trees[place + 1 :]) + "end of trees\n")
        for i, one in enumerate(damaged):
            file = tmp_path / f"damaged{i}.txt"
            file.write_text(one)
            with pytest.raises(InputProblem, match=r"^models: damaged\d+.txt isn't what its name says: [^\n]*$"):
                open_model(file)


class TestXGBoost:
    @pytest.fixture
    def train(self):
        def trained(data, label, **settings):
            rows = xgb.DMatrix(data, label, enable_categorical=True)
            return xgb.train({"max_depth": 3, "nthread": 1, **settings}, rows, 8)

        return trained

    @pytest.mark.parametrize("suffix", [".json", ".ubj"])
    def test_scores_are_the_librarys_own_whatever_the_columns_order(
        self, tmp_path, frame, late, columns, train, suffix
    ):
        booster = train(categorical(frame), late, objective="binary:logistic")
        booster.save_model(tmp_path / f"v1{suffix}")
        scorer = open_model(tmp_path / f"v1{suffix}")
        assert scorer.features == ("delay", "wind", "origin")
        close(scorer.score(columns), booster.predict(xgb.DMatrix(categorical(frame), enable_categorical=True)), 1e-7)

    @pytest.mark.parametrize("objective", ["multi:softprob", "multi:softmax"])
    def test_three_classes_give_probabilities_even_where_the_objective_answers_the_class(
        self, tmp_path, frame, weather, columns, train, objective
    ):
        data, codes = frame[["delay", "wind"]], np.unique(weather, return_inverse=True)[1]
        train(data, codes, objective=objective, num_class=3).save_model(tmp_path / "v1.json")
        expected = train(data, codes, objective="multi:softprob", num_class=3).predict(xgb.DMatrix(data))
        close(open_model(tmp_path / "v1.json").score(columns), expected, 1e-7)

    def test_a_regression_on_arrays_takes_the_callers_order(self, tmp_path, frame, train):
        matrix = frame[["delay", "wind"]].to_numpy()
        booster = train(matrix, matrix[:, 0] * 2)
        booster.save_model(tmp_path / "v1.ubj")
        scorer = open_model(tmp_path / "v1.ubj")
        assert (scorer.features, scorer.width) == (None, 2)
        close(scorer.score({"a": matrix[:, 0], "b": matrix[:, 1]}), booster.predict(xgb.DMatrix(matrix)), 1e-6)

    def test_an_unseen_category_is_scored_as_missing(self, tmp_path, frame, late, train):
        booster = train(categorical(frame), late, objective="binary:logistic")
        booster.save_model(tmp_path / "v1.json")
        row = {"delay": np.array([3.0]), "wind": np.array([4.0])}
        scorer = open_model(tmp_path / "v1.json")
        unseen, missing = (scorer.score({**row, "origin": np.array([v], object)}) for v in ("ORD", None))
        close(unseen, missing)

    def test_a_file_of_an_older_version_has_no_categories_which_is_told(self, tmp_path, frame, late, columns, train):
        train(categorical(frame), late, objective="binary:logistic").save_model(tmp_path / "v1.json")
        model = json.loads((tmp_path / "v1.json").read_text())
        del model["learner"]["gradient_booster"]["model"]["cats"]
        (tmp_path / "v1.json").write_text(json.dumps(model))
        with pytest.raises(InputProblem, match="feature 'origin' is text, and the model file carries no categories"):
            open_model(tmp_path / "v1.json").score(columns)

    def test_later_rounds_than_the_best_are_told(self, tmp_path, frame, late, train):
        booster = train(frame[["delay", "wind"]], late)
        booster.set_attr(best_iteration="2")
        booster.save_model(tmp_path / "v1.json")
        assert open_model(tmp_path / "v1.json").notes == (
            "scored with all 8 rounds; training was best at round 3, where some services stop",
        )

    @pytest.mark.parametrize("suffix", [".json", ".ubj"])
    def test_a_file_cut_short_is_told(self, tmp_path, frame, late, train, suffix):
        train(categorical(frame), late).save_model(tmp_path / f"whole{suffix}")
        data = (tmp_path / f"whole{suffix}").read_bytes()
        for part in range(1, 8):
            file = tmp_path / f"cut{suffix}"
            file.write_bytes(data[: len(data) * part // 8])
            with pytest.raises(InputProblem, match=r"^models: cut[^\n]* isn't what its name says: [^\n]*$"):
                open_model(file)


class TestSkops:
    @pytest.fixture
    def pipeline(self):
        encoder = make_column_transformer(
            (OneHotEncoder(handle_unknown="ignore"), ["origin"]), (StandardScaler(), ["delay", "wind"])
        )
        return make_pipeline(encoder, LogisticRegression())

    def test_a_pipeline_scores_as_it_does_itself(self, tmp_path, frame, weather, late, columns, pipeline):
        named = np.where(late == 1, "late", "punctual")
        skops_io.dump(pipeline.fit(frame, named), tmp_path / "v1.skops")
        scorer = open_model(tmp_path / "v1.skops")
        assert (scorer.features, scorer.classes) == (("delay", "wind", "origin"), ("late", "punctual"))
        own = pipeline.predict_proba(frame)
        close(scorer.score(columns), own[:, 1])
        close(scorer.score(columns, positive="late"), own[:, 0])
        with pytest.raises(InputProblem, match="knows no class 'early'; it has late, punctual"):
            scorer.score(columns, positive="early")
        skops_io.dump(pipeline.fit(frame, weather), tmp_path / "v2.skops")
        scorer = open_model(tmp_path / "v2.skops")
        close(scorer.score(columns), pipeline.predict_proba(frame))
        assert scorer.classes == ("fine", "late", "storm")

    def test_a_regression_on_arrays_takes_the_callers_order(self, tmp_path, frame):
        matrix = frame[["delay", "wind"]].to_numpy()
        model = LinearRegression().fit(matrix, matrix.sum(axis=1) ** 2)
        skops_io.dump(model, tmp_path / "v1.skops")
        scorer = open_model(tmp_path / "v1.skops")
        assert (scorer.features, scorer.width, scorer.classes) == (None, 2, None)
        close(scorer.score({"a": matrix[:, 0], "b": matrix[:, 1]}), model.predict(matrix))

    def test_a_classifier_without_probabilities_gives_its_decision_for_the_class_asked_for(self, tmp_path, frame, late):
        matrix = frame[["delay", "wind"]].to_numpy()
        model = RidgeClassifier().fit(matrix, late)
        skops_io.dump(model, tmp_path / "v1.skops")
        scorer = open_model(tmp_path / "v1.skops")
        given = {"a": matrix[:, 0], "b": matrix[:, 1]}
        close(scorer.score(given), model.decision_function(matrix))
        close(scorer.score(given, positive="0"), -model.decision_function(matrix))

    def test_untrusted_types_are_named(self, tmp_path):
        model = make_pipeline(FunctionTransformer(json.dumps), LogisticRegression())
        skops_io.dump(model, tmp_path / "v1.skops")
        with pytest.raises(InputProblem, match=r"it holds types that skops doesn't trust: json\.dumps; hand over"):
            open_model(tmp_path / "v1.skops")

    def test_trees_take_trust_and_are_then_scored_in_a_process_of_their_own(self, tmp_path, frame, late):
        matrix = frame[["delay", "wind"]].to_numpy()
        model = GradientBoostingClassifier(n_estimators=5).fit(matrix, late)
        skops_io.dump(model, tmp_path / "v1.skops")
        with pytest.raises(
            InputProblem, match=r"doesn't trust: sklearn\.tree\._tree\.Tree; .* allow it with --unpickle"
        ):
            open_model(tmp_path / "v1.skops")
        scorer = open_model(tmp_path / "v1.skops", unpickle=True)
        close(scorer.score({"a": matrix[:, 0], "b": matrix[:, 1]}), model.predict_proba(matrix)[:, 1])

    def test_an_archive_of_something_else_is_told(self, tmp_path):
        with zipfile.ZipFile(tmp_path / "v1.skops", "w") as archive:
            archive.writestr("note.txt", "hello")
        with pytest.raises(InputProblem, match="skops can't build the model"):
            open_model(tmp_path / "v1.skops")
        data = (tmp_path / "v1.skops").read_bytes()
        (tmp_path / "v1.skops").write_bytes(data[: len(data) // 2])
        with pytest.raises(InputProblem, match="isn't what its name says"):
            open_model(tmp_path / "v1.skops")

    def test_rows_that_the_model_refuses_are_told(self, tmp_path, frame, late, columns):
        skops_io.dump(LogisticRegression().fit(frame[["delay", "wind"]], late), tmp_path / "v1.skops")
        gaps = {**columns, "wind": np.full(ROWS, np.nan)}
        with pytest.raises(InputProblem, match=r"can't score these rows: Input X contains NaN"):
            open_model(tmp_path / "v1.skops").score(gaps)


class TestOnnx:
    @staticmethod
    def save(model, file, inputs, **options):
        made = skl2onnx.to_onnx(model, initial_types=inputs, options=options or None, target_opset=18)
        file.write_bytes(made.SerializeToString())

    @staticmethod
    def tensor(width, kind="float"):
        types = skl2onnx.common.data_types
        return {"float": types.FloatTensorType, "text": types.StringTensorType, "whole": types.Int64TensorType}[kind](
            [None, width]
        )

    @pytest.mark.parametrize("zipmap", [True, False])
    @pytest.mark.parametrize("target", ["late", "weather"])
    def test_one_input_for_each_feature_is_filled_by_name(self, tmp_path, frame, columns, request, zipmap, target):
        label = request.getfixturevalue(target)
        encoder = make_column_transformer(
            (OneHotEncoder(handle_unknown="ignore"), ["origin"]), (StandardScaler(), ["delay", "wind"])
        )
        model = make_pipeline(encoder, LogisticRegression()).fit(frame, label)
        inputs = [("delay", self.tensor(1)), ("wind", self.tensor(1)), ("origin", self.tensor(1, "text"))]
        self.save(model, tmp_path / "v1.onnx", inputs, zipmap=zipmap)
        scorer = open_model(tmp_path / "v1.onnx")
        assert scorer.features == ("delay", "wind", "origin")
        assert scorer.classes == tuple(map(str, model.classes_))
        own = model.predict_proba(frame)
        close(scorer.score(columns), own if target == "weather" else own[:, 1], 1e-5)
        if target == "late":
            close(scorer.score(columns, positive="0"), own[:, 0], 1e-5)

    @pytest.mark.parametrize("target", ["late", "weather"])
    def test_one_tensor_of_all_features_takes_the_callers_order(self, tmp_path, frame, request, target):
        matrix, label = frame[["delay", "wind"]].to_numpy(), request.getfixturevalue(target)
        model = GradientBoostingClassifier(n_estimators=5).fit(matrix, label)
        self.save(model, tmp_path / "v1.onnx", [("rows", self.tensor(2))])
        scorer = open_model(tmp_path / "v1.onnx")
        assert (scorer.features, scorer.width) == (None, 2)
        own = model.predict_proba(matrix.astype(np.float32))
        close(scorer.score({"a": matrix[:, 0], "b": matrix[:, 1]}), own if target == "weather" else own[:, 1], 1e-5)
        assert scorer.classes == tuple(map(str, model.classes_))

    def test_metadata_may_name_the_features_of_one_tensor(self, tmp_path, frame, late, columns):
        matrix = frame[["delay", "wind"]].to_numpy()
        model = LogisticRegression().fit(matrix, late)
        made = skl2onnx.to_onnx(model, initial_types=[("rows", self.tensor(2))])
        entry = made.metadata_props.add()
        entry.key, entry.value = "feature_names", json.dumps(["delay", "wind"])
        (tmp_path / "v1.onnx").write_bytes(made.SerializeToString())
        close(open_model(tmp_path / "v1.onnx").score(columns), model.predict_proba(matrix)[:, 1], 1e-5)

    def test_a_regression_gives_values(self, tmp_path, frame):
        matrix = frame[["delay", "wind"]].to_numpy()
        model = GradientBoostingRegressor(n_estimators=5).fit(matrix, matrix.sum(axis=1))
        self.save(model, tmp_path / "v1.onnx", [("rows", self.tensor(2))])
        scores = open_model(tmp_path / "v1.onnx").score({"a": matrix[:, 0], "b": matrix[:, 1]})
        close(scores, model.predict(matrix.astype(np.float32)), 1e-3)

    def test_a_gap_in_a_whole_number_is_told(self, tmp_path, frame, late):
        matrix = np.column_stack([frame["delay"].round(), frame["wind"].round()]).astype(np.int64)
        model = LogisticRegression().fit(matrix, late)
        self.save(model, tmp_path / "v1.onnx", [("rows", self.tensor(2, "whole"))])
        rows = {"a": matrix[:, 0].astype(float), "b": matrix[:, 1].astype(float)}
        scorer = open_model(tmp_path / "v1.onnx")
        close(scorer.score(rows), model.predict_proba(matrix)[:, 1], 1e-5)
        rows["b"][:3] = np.nan
        with pytest.raises(InputProblem, match="feature 'b' is missing in 3 rows, and the model takes a tensor"):
            scorer.score(rows)

    def test_text_for_a_number_is_told(self, tmp_path, frame, late):
        model = LogisticRegression().fit(frame[["delay"]].to_numpy(), late)
        self.save(model, tmp_path / "v1.onnx", [("rows", self.tensor(1))])
        with pytest.raises(InputProblem, match="feature 'origin' is text"):
            open_model(tmp_path / "v1.onnx").score({"origin": frame["origin"].to_numpy(dtype=object)})

    def test_blocks_of_unnamed_features_are_told(self, tmp_path, frame, late):
        encoder = make_column_transformer((OneHotEncoder(), [2]), (StandardScaler(), [0, 1]))
        model = make_pipeline(encoder, LogisticRegression()).fit(frame.to_numpy(), late)
        self.save(model, tmp_path / "v1.onnx", [("numbers", self.tensor(2)), ("texts", self.tensor(1, "text"))])
        with pytest.raises(InputProblem, match="input 'numbers' takes 2 features, whose names the file doesn't tell"):
            open_model(tmp_path / "v1.onnx")

    def test_what_is_no_onnx_is_told(self, tmp_path, frame, late):
        model = LogisticRegression().fit(frame[["delay"]].to_numpy(), late)
        self.save(model, tmp_path / "v1.onnx", [("rows", self.tensor(1))])
        data = (tmp_path / "v1.onnx").read_bytes()
        for i, one in enumerate((b"hello world", data[: len(data) // 2], data[:10], b"{}", pickle.dumps(1, 4))):
            file = tmp_path / f"no{i}.onnx"
            file.write_bytes(one)
            with pytest.raises(InputProblem, match=r"^models: no\d.onnx isn't what its name says: [^\n]*$"):
                open_model(file)


class Hostile:
    """An object whose pickle runs a command when it is opened."""

    def __init__(self, command):
        self.command = command

    def __reduce__(self):
        return os.system, (self.command,)


class TestRefusal:
    @pytest.mark.parametrize("protocol", range(pickle.HIGHEST_PROTOCOL + 1))
    @pytest.mark.parametrize("suffix", [".pkl", ".pickle", ".joblib"])
    def test_a_hostile_pickle_is_refused_naming_its_import_and_nothing_runs(self, tmp_path, protocol, suffix):
        mark = tmp_path / "ran"
        file = tmp_path / f"v1{suffix}"
        file.write_bytes(pickle.dumps({"weights": [1.0], "model": [Hostile(f"touch {mark}")]}, protocol))
        with pytest.raises(InputProblem, match=rf"a pickle runs code when opened; it would import {os.name}\.system; "):
            open_model(file)
        assert not mark.exists()

    @pytest.mark.parametrize(
        ("data", "expected"),
        [
            (b"cos\nsystem\n(S'touch ran'\ntR.", ("os.system",)),
            (b"(S'touch ran'\nios\nsystem\n.", ("os.system",)),
            (b"\x80\x04\x8c\x02os\x8c\x06system\x93\x8c\x02ls\x85R.", ("os.system",)),
            (b"\x80\x04\x8c\x02os\x94\x8c\x06system\x94\x93\x94.", ("os.system",)),
            (b"\x80\x04Vos\nVsystem\n\x93.", ("os.system",)),
            # The names wait in the memo, behind other things.
            (b"\x80\x04\x8c\x06system\x94\x8c\x02os\x94K\x010h\x01h\x00\x93.", ("os.system",)),
            # The name is copied, not stated twice.
            (b"\x80\x04\x8c\x04timeq\x002\x93.", ("time.time",)),
            # The module's name is the result of a call.
            (b"\x80\x04cbuiltins\nstr\n)R\x8c\x06system\x93.", ("builtins.str", "(computed).system")),
            (b"\x80\x02\x82\x07.", ("the copyreg extension 7",)),
            (b"\x80\x04]\x94(K\x01K\x02e.", ()),
            (b"hello", None),
            (b"\x89PNG\r\n\x1a\n", None),
        ],
    )
    def test_imports_are_told_from_the_opcodes(self, data, expected):
        assert imports_of(data) == expected

    @given(
        data=st.recursive(
            st.none() | st.booleans() | st.integers() | st.floats() | st.text(max_size=5) | st.binary(max_size=5),
            lambda inner: (
                st.lists(inner, max_size=4) | st.tuples(inner, inner) | st.dictionaries(st.text(max_size=3), inner)
            ),
            max_leaves=20,
        ),
        protocol=st.integers(2, pickle.HIGHEST_PROTOCOL),
    )
    def test_the_machines_imports_are_those_of_the_opening(self, data, protocol):
        """Whatever surrounds it, an import is found: the oracle is the unpickler's own find_class."""
        pickled = pickle.dumps([data, time.sleep, data, np.float64(2), os.getcwd, time.sleep], protocol)
        assert imports_of(pickled) == tuple(dict.fromkeys(_found_by_opening(pickled)))

    @given(data=st.binary(max_size=60))
    def test_any_bytes_give_names_or_none(self, data):
        names = imports_of(data)
        assert names is None or all(name.isprintable() and len(name) <= 80 for name in names)

    @pytest.mark.parametrize("compress", [0, ("zlib", 3), ("gzip", 3), ("bz2", 3), ("xz", 3), ("lzma", 3)])
    def test_what_stands_behind_joblibs_arrays_or_compression_is_named(self, tmp_path, compress):
        mark = tmp_path / "ran"
        arrays = [np.arange(1000.0), Hostile(f"touch {mark}")]
        joblib.dump(arrays, tmp_path / "v1.joblib", compress=compress)
        with pytest.raises(InputProblem, match=rf"it would import {os.name}\.system, joblib\.numpy_pickle\."):
            open_model(tmp_path / "v1.joblib")
        assert not mark.exists()

    def test_no_number_of_usual_names_hides_an_unusual_one(self, tmp_path):
        usual = b"".join(b"csklearn.tree\nT%d\n0" % i for i in range(50))
        (tmp_path / "v1.pkl").write_bytes(usual + b"cos\nsystem\n.")
        with pytest.raises(
            InputProblem, match=r"would import os\.system, sklearn\.tree\.T0, .* and 43 more; hand over"
        ):
            open_model(tmp_path / "v1.pkl")

    def test_names_stay_on_one_line(self, tmp_path):
        (tmp_path / "v1.pkl").write_bytes(b"\x80\x04\x8c\x05o\ns\x1b[\x8c\x06system\x93.")
        with pytest.raises(InputProblem) as refusal:
            open_model(tmp_path / "v1.pkl")
        assert str(refusal.value).isprintable()

    def test_what_is_no_pickle_is_told(self, tmp_path):
        (tmp_path / "v1.pkl").write_bytes(b"hello world")
        with pytest.raises(InputProblem, match=r"v1.pkl isn't what its name says: it does not read as a pickle"):
            open_model(tmp_path / "v1.pkl")

    def test_every_opcode_is_understood(self):
        """The machine's own rules hold for every opcode of this Python: strings enter by these alone."""
        entering = {"str", "bytes_or_str"}
        named = {one.name for one in pickletools.opcodes for left in one.stack_after if left.name in entering}
        assert named == {
            *("STRING", "BINSTRING", "SHORT_BINSTRING"),
            *("UNICODE", "SHORT_BINUNICODE", "BINUNICODE", "BINUNICODE8"),
        }


def _found_by_opening(pickled):
    found = []

    class Opener(pickle._Unpickler):
        def find_class(self, module, name):
            found.append(f"{_stored(module, name)}")
            return super().find_class(module, name)

    def _stored(module, name):
        return f"{module}.{name}"

    import io

    Opener(io.BytesIO(pickled)).load()
    return found


class Slow:
    """A model that takes longer than anyone waits."""

    def predict(self, rows):
        time.sleep(60)
        return np.zeros(len(rows))


class TestUnpickling:
    @pytest.mark.parametrize("dump", [joblib.dump, lambda model, file: file.write_bytes(pickle.dumps(model))])
    def test_a_benign_pickle_is_scored_in_a_process_of_its_own(self, tmp_path, frame, late, columns, dump):
        model = make_pipeline(
            make_column_transformer((OneHotEncoder(), ["origin"]), remainder="passthrough"), LogisticRegression()
        ).fit(frame, late)
        dump(model, tmp_path / "v1.joblib")
        scorer = open_model(tmp_path / "v1.joblib", unpickle=True)
        assert (scorer.features, scorer.classes) == (("delay", "wind", "origin"), ("0", "1"))
        close(scorer.score(columns), model.predict_proba(frame)[:, 1])
        some = {name: column[:7] for name, column in columns.items()}
        close(scorer.score(some, positive="0"), model.predict_proba(frame)[:7, 0])

    def test_boosters_wrappers_are_scored_with_their_categories_and_classes(self, tmp_path, frame, late, columns):
        label = np.where(late == 1, "late", "punctual")
        model = lgb.LGBMClassifier(n_estimators=5, verbose=-1, n_jobs=1).fit(categorical(frame), label)
        joblib.dump(model, tmp_path / "v1.pkl")
        scorer = open_model(tmp_path / "v1.pkl", unpickle=True)
        assert scorer.classes == ("late", "punctual")
        close(scorer.score(columns, positive="late"), np.asarray(model.predict_proba(categorical(frame)))[:, 0])
        other = xgb.XGBClassifier(n_estimators=5, enable_categorical=True, n_jobs=1).fit(categorical(frame), late)
        joblib.dump(other, tmp_path / "v2.pkl")
        scores = open_model(tmp_path / "v2.pkl", unpickle=True).score(columns)
        close(scores, other.predict_proba(categorical(frame))[:, 1], 1e-6)

    def test_the_process_gets_no_environment_of_the_caller_and_ends_with_the_scorer(self, tmp_path, monkeypatch):
        monkeypatch.setenv("DATABASE_PASSWORD", "secret")
        (tmp_path / "v1.pkl").write_bytes(
            b"cbuiltins\neval\n(S'(open(\"" + str(tmp_path / "seen").encode() + b'", "w").write('
            b'str([__import__("os").getpid(), dict(__import__("os").environ)])), '
            b'__import__("sklearn.linear_model").linear_model.LinearRegression())[1]\'\ntR.'
        )
        scorer = open_model(tmp_path / "v1.pkl", unpickle=True)
        seen = (tmp_path / "seen").read_text()
        process = int(seen[1:].split(",")[0])
        assert process != os.getpid()
        assert "secret" not in seen
        os.kill(process, 0)
        del scorer
        gc.collect()
        with pytest.raises(ProcessLookupError):
            os.kill(process, 0)

    @pytest.mark.parametrize(
        ("data", "message"),
        [
            (pickle.dumps([1, 2]), "a list is no model"),
            (b"cnot_a_module\nModel\n)R.", "the model's process ended: ModuleNotFoundError: .*not_a_module"),
            (b"cos\n_exit\n(I3\ntR.", "the model's process ended: exit code 3, and no message"),
        ],
    )
    def test_what_goes_wrong_inside_is_told_in_one_line(self, tmp_path, data, message):
        (tmp_path / "v1.pkl").write_bytes(data)
        with pytest.raises((InputProblem, WorkProblem), match=f"^models: v1.pkl: {message}[^\n]*$"):
            open_model(tmp_path / "v1.pkl", unpickle=True)

    def test_what_takes_too_long_is_ended(self, tmp_path):
        (tmp_path / "v1.pkl").write_bytes(b"ctime\nsleep\n(I60\ntR.")
        started = time.monotonic()
        with pytest.raises(WorkProblem, match=r"took more than 0\.5 s and was ended"):
            unpickling.load(tmp_path / "v1.pkl", "v1.pkl", timeout_seconds=0.5)
        assert time.monotonic() - started < 30

    def test_what_the_model_prints_is_no_answer(self, tmp_path):
        (tmp_path / "v1.pkl").write_bytes(
            b'cbuiltins\neval\n(S\'(print("{}"), '
            b'__import__("sklearn.linear_model").linear_model.LinearRegression())[1]\'\ntR.'
        )
        scorer = open_model(tmp_path / "v1.pkl", unpickle=True)
        assert scorer.features is None
        with pytest.raises(InputProblem, match="can't score these rows: This LinearRegression instance is not fitted"):
            scorer.score({"a": np.zeros(2)})


class TestScorer:
    def test_missing_features_are_named_with_the_nearest(self):
        scorer = Scorer("m", first_column, features=("dep_delay",))
        with pytest.raises(
            InputProblem, match=r"are not given: dep_delay; did you mean 'dep_dely'\? there are: dep_dely"
        ):
            scorer.score({"dep_dely": np.zeros(2)})

    def test_no_rows_give_no_scores(self):
        none = {"a": np.zeros(0)}
        assert Scorer("m", lambda _: pytest.fail("asked"), features=("a",)).score(none).shape == (0,)
        assert Scorer("m", lambda _: pytest.fail("asked"), classes=("a", "b", "c")).score(none).shape == (0, 3)

    def test_columns_of_different_lengths_and_no_columns_are_told(self):
        scorer = Scorer("m", first_column)
        for wrong in ({"a": np.zeros(2), "b": np.zeros(3)}, {}):
            with pytest.raises(InputProblem, match="must be of one length"):
                scorer.score(wrong)

    def test_an_answer_of_the_wrong_length_is_told(self):
        with pytest.raises(InputProblem, match=r"answers \(3,\) figures for 2 rows"):
            Scorer("m", lambda _: np.zeros(3)).score({"a": np.zeros(2)})

    @given(
        values=st.lists(st.sampled_from(["a", "b", "z", None]), min_size=1, max_size=20),
        categories=st.permutations(["a", "b", "c"]),
    )
    def test_codes_are_places_among_the_categories(self, values, categories):
        codes = coded(np.array(values, dtype=object), categories)
        assert [None if np.isnan(c) else categories[int(c)] for c in codes] == [
            v if v in categories else None for v in values
        ]

    def test_truth_values_are_found_as_logs_show_them(self):
        for logged in (np.array([0.0, 1.0]), np.array(["false", "true"], object), np.array(["False", "True"], object)):
            close(coded(logged, [False, True]), [0, 1])

    def test_a_column_of_nothing_is_missing_not_text(self):
        assert np.isnan(as_matrix({"a": np.array([None, None], dtype=object)}, name="m")).all()


class TestOpening:
    def test_a_missing_library_is_told_with_the_extra(self):
        with pytest.raises(
            WorkProblem, match=r'needs the package no_such_one; install it: pip install "mortis\[models\]"'
        ):
            needed("no_such_one.io")

    @pytest.mark.parametrize(
        ("name", "data", "message"),
        [
            ("v1.bin", b"x", r"unknown kind of model '\.bin'; known: \.joblib, \.json"),
            ("v1", b"x", r"unknown kind of model '\(no suffix\)'"),
            ("v1.onnx", b"", "v1.onnx is empty"),
            ("v1.txt", b"hello", "does not begin like LightGBM's text"),
            ("v1.model", b'{"learner": {}}', "it begins like XGBoost's; name it .json or .ubj"),
            ("v1.json", b"{}", "does not begin like an XGBoost model"),
            ("v1.skops", b"hello", "does not begin like skops's archive"),
            ("v1.pkl", b"PK\x03\x04", "it is a zip archive"),
        ],
    )
    def test_a_file_that_is_not_what_its_name_says_is_told(self, tmp_path, name, data, message):
        (tmp_path / name).write_bytes(data)
        with pytest.raises(InputProblem, match=message):
            open_model(tmp_path / name)

    def test_a_missing_file_is_told(self, tmp_path):
        with pytest.raises(InputProblem, match=r"^case\.models: v1\.onnx: no such file"):
            open_model(tmp_path / "v1.onnx", key="case.models")

    def test_a_third_partys_format_takes_the_same_door(self, tmp_path, monkeypatch):
        monkeypatch.setattr("mortis.sources.models.MODEL_FORMATS", dict(MODEL_FORMATS))
        mean = ModelFormat("mean", (".mean",), lambda _: None, lambda _, name: Scorer(name, first_column))
        register_model_format(mean)
        (tmp_path / "v1.mean").write_text("a")
        close(open_model(tmp_path / "v1.mean").score({"a": np.array([2.0])}), [2.0])

    def test_naming_the_formats_imports_no_library(self):
        heavy = "{'lightgbm', 'xgboost', 'onnxruntime', 'skops', 'sklearn', 'pandas', 'pyarrow'}"
        program = f"import sys, mortis.sources.models; print(sorted({heavy} & set(sys.modules)))"
        ran = subprocess.run([sys.executable, "-c", program], capture_output=True, text=True, check=True)
        assert ran.stdout.strip() == "[]"


def test_the_demos_models_need_no_more_than_their_file(tmp_path, rng):
    """A text with its categories on the line of data frames' is decoded by it, without a data frame."""
    import pyarrow as pa

    from mortis.lab.model import train

    rows = pa.table(
        {
            "origin": rng.choice(["EWR", "JFK"], 2000).tolist(),
            "dep_delay": rng.normal(0, 20, 2000),
            "carrier": rng.choice(["AA", "UA", "B6"], 2000).tolist(),
            "late": (rng.random(2000) < 0.3).astype(float),
        }
    )
    model = train(rows, features=("carrier", "dep_delay", "origin"), rounds=5)
    (tmp_path / "v1.txt").write_text(model.text)
    logged = {
        "origin": np.array(rows["origin"].to_pylist(), dtype=object),
        "carrier": np.array(rows["carrier"].to_pylist(), dtype=object),
        "dep_delay": rows["dep_delay"].to_numpy(),
    }
    close(open_model(Path(tmp_path / "v1.txt")).score(logged), model.score(rows))
