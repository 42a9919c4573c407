"""StableHLO text without what nobody reads."""

from logan_tf.programs import text

MODULE = """\
#loc1 = loc("x.1")
#loc3 = loc("/a/b.py":12:0)
module @a__inference attributes {mhlo.num_replicas = 1 : i32} {
  func.func private @unused(%arg0: tensor<f32> loc("x(1)")) -> tensor<f32> {
    return %arg0 : tensor<f32> loc(#loc4)
  } loc(#loc4)
  func.func public @main(%arg0: tensor<2x3xf32> loc("x.1"), %arg1: tensor<i64> {a.b = 1}) -> tensor<2x3xf32> {
    %0 = call @used(%arg0) : (tensor<2x3xf32>) -> tensor<2x3xf32> loc(fused[#loc1, "f(\\"y\\")"])
    return %0 : tensor<2x3xf32> loc(callsite("a"("b":1:2) at #loc3))
  } loc(#loc)
  func.func private @used(%arg0: tensor<2x3xf32>) -> tensor<2x3xf32> {
    %0 = func.call @deeper(%arg0) : (tensor<2x3xf32>) -> tensor<2x3xf32>
    return %0 : tensor<2x3xf32>
  }
  func.func private @deeper(%arg0: tensor<2x3xf32>) -> tensor<2x3xf32> {
    return %arg0 : tensor<2x3xf32>
  }
} loc(#loc)
#loc = loc(unknown)
#loc4 = loc(fused[#loc1, #loc3])
"""  # noqa: E501


def test_neither_locations_nor_functions_that_nothing_calls():
    slim = text.slim(MODULE)
    assert "loc" not in slim
    for name in ("main", "used", "deeper"):
        assert slim.count(f" @{name}(%arg0: ") == 1
    assert "unused" not in slim
    assert slim.startswith("module @a__inference attributes")
    assert slim.endswith("  }\n}\n")
    assert "call @used(%arg0) : (tensor<2x3xf32>) -> tensor<2x3xf32>\n" in slim


def test_signatures_of_one_output_and_of_several():
    slim = text.slim(MODULE)
    assert text.signature(slim) == (["2x3xf32", "i64"], ["2x3xf32"])
    two = slim.replace(
        "{a.b = 1}) -> tensor<2x3xf32> {", ") -> (tensor<f32>, tensor<i1>) {"
    )
    assert text.signature(two)[1] == ["f32", "i1"]
