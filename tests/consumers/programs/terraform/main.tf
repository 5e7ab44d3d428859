# Terraform's S3 backend; the environment has what differs from run to run.
terraform {
  backend "s3" {
    bucket                      = "bucket"
    key                         = "state"
    region                      = "eu-central-1"
    use_path_style              = true
    skip_credentials_validation = true
    skip_region_validation      = true
    skip_requesting_account_id  = true
  }
}
