"""StatisticsGen: TFDV's statistics of every feature and split."""
