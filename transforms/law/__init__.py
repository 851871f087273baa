"""The law: parameters as data, worksheets and tax as code that cites its source."""
