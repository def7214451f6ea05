#include "train/options.h"

#include <cmath>

#include "base/error.h"
#include "model/dtype.h"

namespace relmpi {

void DataOptions::validate() const {
  demand(!data.empty(), "--data", data, "a folder of shards (relmpi-data shard)");
  demand(!model.empty() || !vocab.empty(), "--model", model,
         "given, or --vocab with a shape (--hidden, --layers, ...) to start from nothing");
  demand(model.empty() || vocab.empty(), "--vocab", vocab,
         "left out with --model, which has its own vocab.txt");
  demand(prefetch >= 0 && prefetch <= 1024, "--prefetch", prefetch, "0 to 1024");
}

void StepOptions::validate() const {
  dtype_of(precision);
  demand(global_batch >= 1, "--global-batch", global_batch, "at least 1");
  demand(micro_batch >= 0, "--micro-batch", micro_batch, "at least 1, or 0 for no splitting");
  demand(lr > 0 && std::isfinite(lr), "--lr", lr, "above 0");
  demand(beta1 >= 0 && beta1 < 1, "--beta1", beta1, "in [0, 1)");
  demand(beta2 >= 0 && beta2 < 1, "--beta2", beta2, "in [0, 1)");
  demand(epsilon > 0, "--adam-epsilon", epsilon, "above 0");
  demand(weight_decay >= 0, "--weight-decay", weight_decay, "at least 0");
  demand(clip >= 0, "--clip", clip, "at least 0 (0 = no clipping)");
  demand(mft_rate >= 0 && mft_rate < 1, "--mft-rate", mft_rate, "in [0, 1)");
  demand(bucket_bytes == 0 || bucket_bytes >= 4, "--bucket-bytes", bucket_bytes, "at least 4, or 0");
}

void RunOptions::validate() const {
  demand(!out.empty(), "--out", out, "the folder of the run");
  demand(steps >= 0, "--steps", steps, "at least 1, or left out with --epochs");
  demand((steps > 0) != (epochs > 0), "--steps", steps, "given, or --epochs, but not both");
  demand(epochs >= 0 && std::isfinite(epochs), "--epochs", epochs, "above 0");
  demand(warmup >= 0 && warmup < 1, "--warmup", warmup, "a share of all steps in [0, 1)");
  demand(mixture_after >= -1, "--mixture-after", mixture_after, "at least 0, or -1 (as --output says)");
  demand(max_skipped >= 1, "--max-skipped", max_skipped, "at least 1");
  demand(log_every >= 1, "--log-every", log_every, "at least 1");
  demand(evaluate_every >= 0, "--evaluate-every", evaluate_every, "at least 0");
  demand(evaluate_limit >= 0, "--evaluate-limit", evaluate_limit, "at least 0 (0 = all)");
  demand(checkpoint_every >= 0, "--checkpoint-every", checkpoint_every, "at least 0");
  demand(keep_last >= 1 && keep_last <= 1000, "--keep-last", keep_last, "1 to 1000");
  demand(keep_best <= 1000, "--keep-best", keep_best, "at most 1000");
  demand(patience >= 0, "--patience", patience, "at least 0");
  demand(check_replicas >= 0, "--check-replicas", check_replicas, "at least 0 (0 = never)");
}

void TrainOptions::validate() const {
  data.validate();
  step.validate();
  run.validate();
  demand(run.patience == 0 || !data.validation.empty(), "--patience", run.patience, "used with --validation");
  demand(!run.tune || !data.validation.empty(), "--tune-thresholds", "set", "used with --validation");
}

}  // namespace relmpi
